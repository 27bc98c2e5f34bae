"""The command line of a bench: as much of it as `serve` needs."""

import click


@click.group(name="frappe")
@click.option("--site")
@click.pass_context
def frappe(context, site):
    context.obj = site


@frappe.command()
@click.option("--port", default=8000)
@click.option("--noreload", is_flag=True)
@click.pass_obj
def serve(site, port, noreload):
    from frappe.app import serve

    serve(port, noreload, site)


if __name__ == "__main__":
    click.Group(commands={"frappe": frappe})(prog_name="bench")
