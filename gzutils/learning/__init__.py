"""How networks learn, and what is made of them: recipe, training, features, predictions, metrics, heat maps."""
