"""PyTorch twins of the imported targets, with the names of bearpaw's modules."""

import torch
from torch import nn
from torch.nn import functional


def conv(inputs, outputs, size, stride=1):
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class AlexNet(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 11, stride=4, padding=5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(64, 192, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(192, 384, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(256, 256, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(256, num_classes)

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class Residual(nn.Module):
    """Either of ResNet's blocks."""

    def __init__(self, inputs, planes, stride, bottleneck):
        super().__init__()
        outputs = 4 * planes if bottleneck else planes
        sizes = (1, 3, 1) if bottleneck else (3, 3)
        widths = [inputs, *[planes] * (len(sizes) - 1), outputs]
        for i, size in enumerate(sizes):
            strided = i == (1 if bottleneck else 0)
            layer = conv(widths[i], widths[i + 1], size, stride if strided else 1)
            self.add_module(f"conv{i + 1}", layer)
            self.add_module(f"bn{i + 1}", nn.BatchNorm2d(widths[i + 1]))
        self.count = len(sizes)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)
            )

    def forward(self, x):
        out = x
        for i in range(1, self.count + 1):
            out = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(out))
            if i < self.count:
                out = functional.relu(out)
        residual = x if self.downsample is None else self.downsample(x)
        return functional.relu(out + residual)


class ResNet(nn.Module):
    def __init__(self, blocks, bottleneck, num_classes):
        super().__init__()
        self.conv1, self.bn1 = conv(3, 16, 3), nn.BatchNorm2d(16)
        inputs = 16
        for stage, planes in enumerate((16, 32, 64), start=1):
            layers = []
            for i in range(blocks):
                stride = 2 if stage > 1 and i == 0 else 1
                layers.append(Residual(inputs, planes, stride, bottleneck))
                inputs = 4 * planes if bottleneck else planes
            self.add_module(f"layer{stage}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = functional.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.fc(functional.avg_pool2d(x, 8).flatten(1))


class Dense(nn.Module):
    def __init__(self, inputs, growth):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, 4 * growth, 1)
        self.bn2, self.conv2 = nn.BatchNorm2d(4 * growth), conv(4 * growth, growth, 3)

    def forward(self, x):
        out = self.conv1(functional.relu(self.bn1(x)))
        out = self.conv2(functional.relu(self.bn2(out)))
        return torch.cat((x, out), 1)


class Transition(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.bn1, self.conv1 = nn.BatchNorm2d(inputs), conv(inputs, outputs, 1)

    def forward(self, x):
        return functional.avg_pool2d(self.conv1(functional.relu(self.bn1(x))), 2)


class DenseNet(nn.Module):
    def __init__(self, layers, growth, num_classes):
        super().__init__()
        inputs = 2 * growth
        self.conv1 = conv(3, inputs, 3)
        for block in (1, 2, 3):
            dense = [Dense(inputs + i * growth, growth) for i in range(layers)]
            self.add_module(f"dense{block}", nn.Sequential(*dense))
            inputs += layers * growth
            if block < 3:
                self.add_module(f"trans{block}", Transition(inputs, inputs // 2))
                inputs //= 2
        self.bn, self.fc = nn.BatchNorm2d(inputs), nn.Linear(inputs, num_classes)

    def forward(self, x):
        x = self.trans2(self.dense2(self.trans1(self.dense1(self.conv1(x)))))
        x = functional.relu(self.bn(self.dense3(x)))
        return self.fc(functional.avg_pool2d(x, 8).flatten(1))


def randomised(module, seed):
    """The module in evaluation, with made-up weights and running averages."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in module.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        noise = torch.randn(value.shape, generator=generator)
        if name.endswith("running_var"):
            value.copy_(0.5 + noise.abs())
        elif value.ndim > 1:
            fan_in = value[0].numel()
            value.copy_(noise * (2 / fan_in) ** 0.5)
        elif name.endswith("weight"):
            value.copy_(1 + 0.2 * noise)
        else:
            value.copy_(0.2 * noise)
    return module.eval()
