"""What edge and central must agree on."""
