"""Every figure of the kit, one function each; the modules are named after what they show."""
