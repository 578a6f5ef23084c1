"""`supervisor schema`: the published form of the automations file."""

from __future__ import annotations

import click

from supervisor.config.resources import schema_text


@click.command("schema")
def command() -> None:
    """Print the JSON Schema (2020-12) of the automations file, for editors and other tools.

    With the YAML language server, name it at the top of the file:

    \b
      # yaml-language-server: $schema=./automations.schema.json
    """
    click.echo(schema_text(), nl=False)
