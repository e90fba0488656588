"""``footfall serve``: one node in this process, or several in processes of their own."""

from footfall.config import Config
from footfall.errors import ConfigError

NODES_MAX = 64  # processes on one machine; more would only share its cores


def serve(config: Config, nodes: int) -> None:
    """Run until stopped. Raises SetupError."""
    if not 1 <= nodes <= NODES_MAX:
        raise ConfigError(f"--nodes is {nodes}; it must be from 1 to {NODES_MAX}")
    if config.http_port + nodes - 1 > 65535:
        raise ConfigError(f"{nodes} consecutive ports from {config.http_port} on pass 65535")
    if nodes == 1:
        from footfall.web.process import run_node

        run_node(config)
    else:
        from footfall.web.supervisor import run

        run(config, nodes)
