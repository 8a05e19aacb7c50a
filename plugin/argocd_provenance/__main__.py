"""``python -I -m argocd_provenance``: how Argo CD's plugin starts us, out of reach of the repository's files."""

from argocd_provenance.cli import main

if __name__ == "__main__":
    main()
