"""The life of a view's builds: first build, new version, rebuild, switch, removal."""
