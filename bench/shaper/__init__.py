"""An impaired link between two network namespaces, in user space."""
