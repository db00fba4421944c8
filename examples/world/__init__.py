"""The sample world: sites of invented companies, served on loopback by ``python -m examples.world.server``."""
