"""An endpoint that speaks OpenAI's chat completions by a script: `model_server.py SCRIPT SEEN`.

SCRIPT is a JSON list of what to answer, one entry a request; SEEN gets a line of JSON for each request. The port is the
first line of the output. A request that is not what the protocol asks for is answered with 400, as a strict endpoint does.
"""

import http.server
import json
import os
import sys

if os.environ.get("LOCKSTEP_PYTHON_WITH_OPENAI"):
    from openai.types.chat import ChatCompletion
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
    from pydantic import TypeAdapter, ValidationError

    requests = TypeAdapter(CompletionCreateParamsNonStreaming)
else:
    ChatCompletion = requests = None

FIELDS = {
    "model": str,
    "messages": list,
    "stream": bool,
    "response_format": dict,
    "max_tokens": int,
    "max_completion_tokens": int,
    "temperature": (int, float),
}
script, seen = json.loads(sys.argv[1]), sys.argv[2]


def wrong(path, body):
    """What is wrong with a request, or nothing."""
    if path != "/v1/chat/completions":
        return "there is nothing at " + path
    for name, value in body.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            return "Unrecognized request argument supplied: " + name
    if not body.get("model") or not body.get("messages"):
        return "you must provide a model and messages"
    for message in body["messages"]:
        if set(message) != {"role", "content"} or message["role"] not in ("system", "user", "assistant"):
            return "Invalid message"
    kind = body.get("response_format", {}).get("type")
    if kind == "json_schema":
        named = body["response_format"]["json_schema"]
        if not named.get("name") or not isinstance(named.get("schema"), dict):
            return "Missing required parameter: 'response_format.json_schema.name'"
    elif kind == "json_object":
        if not any("json" in message["content"].lower() for message in body["messages"]):
            return "'messages' must contain the word 'json' in some form, to use 'response_format'"
    return mistaken(body) if requests else None


def mistaken(body):
    """What OpenAI's own types find wrong with a request."""
    unknown = set(body) - set(CompletionCreateParamsNonStreaming.__annotations__)
    try:
        # Lists are checked as they are read.
        list(requests.validate_python(body, strict=True)["messages"])
    except ValidationError as error:
        return "not of OpenAI's types: " + " ".join(str(error).split())
    return "OpenAI's types have no " + ", ".join(unknown) if unknown else None


def completion(step):
    message = {"role": "assistant", "content": step.get("say"), "refusal": step.get("refuse")}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1700000000,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": step.get("finish", "stop"), "logprobs": None}],
    }
    if step.get("usage", True):
        answer["usage"] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    if ChatCompletion:
        ChatCompletion.model_validate(answer)
    return json.dumps(answer)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(seen, "a", encoding="utf-8") as file:
            file.write(json.dumps({"authorization": self.headers.get("Authorization"), "body": body}) + "\n")
        problem = wrong(self.path, body)
        step = {"status": 400, "error": problem} if problem else script.pop(0) if script else {"status": 410, "error": "over"}
        if step.get("hang"):
            # Until whoever asks has gone.
            self.connection.recv(1)
            self.close_connection = True
            return
        if step.get("drop"):
            self.close_connection = True
            return
        if "error" in step:
            text = json.dumps({"error": {"message": step["error"].replace("$KEY", self.headers.get("Authorization") or ""), "type": "error"}})
        elif "raw" in step:
            text = step["raw"]
        else:
            text = completion(step)
        data = text.encode() + b" " * step.get("pad", 0)
        self.send_response(step.get("status", 200))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in step.get("headers", {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if step.get("half") else data)
        self.close_connection = step.get("half", False)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
