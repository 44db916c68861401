"""
Go templates (``text/template``) with the functions of sprig v3.3.0.

    >>> from tiphys.languages import template
    >>> ref = template.compile('{{ .Input.ref | replace "refs/heads/" "" }}')
    >>> ref.render({"ref": "refs/heads/main"})
    'main'

``compile`` does all the parsing; a Template is immutable and cheap to render. The result is what
Go prints, to the letter: numbers of JSON are ``float64`` and appear as ``1e+06``, a missing key is
``<no value>``, arguments of the wrong Go type are errors.

``FUNCTIONS`` has sprig's functions by name, for other languages that offer them; each is called
with values of Go types (see ``values``) and raises EvaluationError.
"""

from tiphys.languages.template.compiled import Template, compile
from tiphys.languages.template.functions import Function, Parameter
from tiphys.languages.template.sprig import FUNCTIONS

__all__ = ["FUNCTIONS", "Function", "Parameter", "Template", "compile"]
