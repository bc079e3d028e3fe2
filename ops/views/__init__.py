"""The views as operators see and steer them, over the projector's HTTP surface."""
