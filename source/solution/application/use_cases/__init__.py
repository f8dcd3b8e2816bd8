"""What the functions do, one module per verb, over the ports alone: no AWS library, no framework, no environment."""
