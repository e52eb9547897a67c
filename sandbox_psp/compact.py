"""JSON without spaces, by one encoder: making an encoder for each text costs more than the text."""

import json

encode = json.JSONEncoder(separators=(",", ":")).encode
