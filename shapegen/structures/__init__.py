"""Part trees: boxes in a hierarchy with relations, and the models that generate them."""
