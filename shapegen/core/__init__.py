"""The image-model core: what two or more models share; it knows no model and no data set."""
