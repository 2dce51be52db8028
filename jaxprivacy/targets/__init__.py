"""What is attacked: any JAX function of parameters and records."""
