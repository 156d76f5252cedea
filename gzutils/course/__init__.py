"""What the notebooks and `run_all.sh` use: a run and its folder, what it found, pages, Colab, the pipeline."""
