"""The operator's configuration: TOML, validated; an unknown key is an error that names its line."""
