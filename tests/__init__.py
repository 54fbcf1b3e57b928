"""Tests. This package file exists because a dependency installs a package of the same name."""
