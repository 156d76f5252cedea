"""From raw files, downloaded, simulated or your own, to arrays that networks learn from. Nothing here needs Keras."""
