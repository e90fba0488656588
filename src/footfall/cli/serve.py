"""``footfall serve``: one node in this process, or several in processes of their own."""

from footfall.config import Config


def serve(config: Config, nodes: int) -> None:
    """Run until stopped. Raises FootfallError if it cannot start."""
    if nodes == 1:
        from footfall.web.process import run_node

        run_node(config)
    else:
        from footfall.web.supervisor import run

        run(config, nodes)
