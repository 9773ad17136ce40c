"""Four small clients, one for each wire format: they ask, read what comes strictly, and carry the conversation on."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from tests.models.server import ModelServer
from tests.unit.models.asking import Raw, ask, events

COMMAND = {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]}
CONTENT = {"type": "string"}


class Answer(NamedTuple):
    """What a model said."""

    text: str
    tool: str = ""
    arguments: dict[str, Any] | None = None
    usage: tuple[int, int, int] = (0, 0, 0)
    """Input with what was cached, cached, output."""


@dataclass
class Client:
    """A conversation in one wire format."""

    path: ClassVar[str]
    shell: ClassVar[str]
    server: ModelServer
    stream: bool = True
    tools: bool = True
    history: list[dict[str, Any]] = field(default_factory=list)

    def say(self, text: str) -> Answer:
        """The user says something; the model's answer is kept."""
        self.history.append(self.user(text))
        return self.go()

    def tell(self, output: str) -> Answer:
        """The tool that was called gave this."""
        self.history.extend(self.result(output))
        return self.go()

    def go(self) -> Answer:
        raw = self.raw()
        assert raw.status == 200, raw
        kind = "text/event-stream" if self.stream else "application/json"
        assert raw.headers["content-type"] == kind
        return self.take(events(raw.body)) if self.stream else self.take_whole(raw.json())

    def raw(self) -> Raw:
        return ask(self.server, self.path, self.body())

    def body(self) -> dict[str, Any]:
        raise NotImplementedError

    def user(self, text: str) -> dict[str, Any]:
        return {"role": "user", "content": text}

    def result(self, output: str) -> list[dict[str, Any]]:
        raise NotImplementedError

    def take(self, stream: list[tuple[str, Any]]) -> Answer:
        raise NotImplementedError

    def take_whole(self, document: Any) -> Answer:
        raise NotImplementedError


class Anthropic(Client):
    """As Claude Code asks."""

    path = "/v1/messages?beta=true"
    shell = "Bash"

    def body(self) -> dict[str, Any]:
        body = {"model": "claude-test", "max_tokens": 100, "stream": self.stream, "messages": self.history}
        schema = COMMAND | {"properties": {"command": CONTENT, "description": CONTENT}}
        return body | ({"tools": [{"name": "Bash", "input_schema": schema}]} if self.tools else {})

    def take(self, stream: list[tuple[str, Any]]) -> Answer:
        """Put the message together as the SDK does."""
        assert all(name == data["type"] for name, data in stream)
        message = stream[0][1]["message"]
        partial = ""
        for _, data in stream[1:]:
            match data["type"]:
                case "content_block_start":
                    assert data["index"] == len(message["content"])
                    message["content"].append(data["content_block"])
                case "content_block_delta" if data["delta"]["type"] == "text_delta":
                    message["content"][data["index"]]["text"] += data["delta"]["text"]
                case "content_block_delta":
                    partial += data["delta"]["partial_json"]
                case "message_delta":
                    message.update(data["delta"], usage=message["usage"] | data["usage"])
                case kind:
                    assert kind in ("ping", "content_block_stop", "message_stop")
        if partial:
            message["content"][-1]["input"] = json.loads(partial)
        return self.take_whole(message)

    def take_whole(self, document: Any) -> Answer:
        self.history.append({"role": "assistant", "content": document["content"]})
        text = "".join(part["text"] for part in document["content"] if part["type"] == "text")
        calls = [part for part in document["content"] if part["type"] == "tool_use"]
        assert document["stop_reason"] == ("tool_use" if calls else "end_turn")
        usage = document["usage"]
        read = usage["cache_read_input_tokens"]
        tokens = (usage["input_tokens"] + read + usage["cache_creation_input_tokens"], read, usage["output_tokens"])
        return Answer(text, calls[0]["name"], calls[0]["input"], tokens) if calls else Answer(text, usage=tokens)

    def result(self, output: str) -> list[dict[str, Any]]:
        identity = self.history[-1]["content"][-1]["id"]
        part = {"type": "tool_result", "tool_use_id": identity, "content": [{"type": "text", "text": output}]}
        return [{"role": "user", "content": [part]}]


class Chat(Client):
    """As opencode and mini-swe-agent ask."""

    path = "/v1/chat/completions"
    shell = "bash"

    def body(self) -> dict[str, Any]:
        body = {
            "model": "gpt-test",
            "stream": self.stream,
            "stream_options": {"include_usage": True},
            "messages": [{"role": "system", "content": "You are an agent."}, *self.history],
        }
        tool = {"type": "function", "function": {"name": "bash", "parameters": COMMAND}}
        return body | ({"tools": [tool]} if self.tools else {})

    def take(self, stream: list[tuple[str, Any]]) -> Answer:
        assert stream[-1] == ("", "[DONE]")
        *chunks, last = [data for _, data in stream[:-1]]
        assert last["choices"] == []
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        for chunk in chunks:
            delta = chunk["choices"][0]["delta"]
            message["content"] += delta.get("content") or ""
            for part in delta.get("tool_calls", []):
                calls = message.setdefault("tool_calls", [])
                if "id" in part:
                    calls.append(part)
                else:
                    calls[part["index"]]["function"]["arguments"] += part["function"]["arguments"]
        choice = {"message": message, "finish_reason": chunks[-1]["choices"][0]["finish_reason"]}
        return self.take_whole({"choices": [choice], "usage": last["usage"]})

    def take_whole(self, document: Any) -> Answer:
        choice = document["choices"][0]
        message = choice["message"]
        self.history.append(message)
        usage = document["usage"]
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        tokens = (usage["prompt_tokens"], cached, usage["completion_tokens"])
        calls = message.get("tool_calls", [])
        assert choice["finish_reason"] == ("tool_calls" if calls else "stop")
        text = message["content"] or ""
        if not calls:
            return Answer(text, usage=tokens)
        return Answer(text, calls[0]["function"]["name"], json.loads(calls[0]["function"]["arguments"]), tokens)

    def result(self, output: str) -> list[dict[str, Any]]:
        identity = self.history[-1]["tool_calls"][0]["id"]
        return [{"role": "tool", "tool_call_id": identity, "content": output}]


class Responses(Client):
    """As codex asks."""

    path = "/v1/responses"
    shell = "exec_command"

    def body(self) -> dict[str, Any]:
        body = {"model": "gpt-test", "stream": self.stream, "instructions": "Work.", "input": self.history}
        schema = {"type": "object", "properties": {"cmd": CONTENT}, "required": ["cmd"]}
        tool = {"type": "function", "name": "exec_command", "parameters": schema}
        return body | ({"tools": [tool, {"type": "web_search"}]} if self.tools else {})

    def user(self, text: str) -> dict[str, Any]:
        return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}

    def take(self, stream: list[tuple[str, Any]]) -> Answer:
        assert all(name == data["type"] for name, data in stream)
        assert [data["sequence_number"] for _, data in stream] == list(range(len(stream)))
        done = [data["item"] for name, data in stream if name == "response.output_item.done"]
        response = stream[-1][1]["response"]
        assert done == response["output"]
        texts = [data["delta"] for name, data in stream if name == "response.output_text.delta"]
        arguments = [data["delta"] for name, data in stream if name == "response.function_call_arguments.delta"]
        answer = self.take_whole(response)
        assert answer.text == "".join(texts)
        assert answer.arguments == (json.loads("".join(arguments)) if arguments else None)
        return answer

    def take_whole(self, document: Any) -> Answer:
        assert document["status"] == "completed"
        self.history.extend(document["output"])
        usage = document["usage"]
        tokens = (usage["input_tokens"], usage["input_tokens_details"]["cached_tokens"], usage["output_tokens"])
        messages = [item["content"][0]["text"] for item in document["output"] if item["type"] == "message"]
        calls = [item for item in document["output"] if item["type"] == "function_call"]
        if not calls:
            return Answer("".join(messages), usage=tokens)
        return Answer("".join(messages), calls[0]["name"], json.loads(calls[0]["arguments"]), tokens)

    def result(self, output: str) -> list[dict[str, Any]]:
        identity = self.history[-1]["call_id"]
        return [{"type": "function_call_output", "call_id": identity, "output": output}]


class Gemini(Client):
    """As Gemini CLI asks."""

    shell = "run_shell_command"

    @property
    def path(self) -> str:  # type: ignore[override]  # here the way of asking is in the path
        end = "streamGenerateContent?alt=sse" if self.stream else "generateContent"
        return f"/v1beta/models/gemini-test:{end}"

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"contents": self.history, "systemInstruction": {"parts": [{"text": "Work."}]}}
        tool = {"name": "run_shell_command", "parametersJsonSchema": COMMAND}
        return body | ({"tools": [{"functionDeclarations": [tool]}]} if self.tools else {})

    def user(self, text: str) -> dict[str, Any]:
        return {"role": "user", "parts": [{"text": text}]}

    def take(self, stream: list[tuple[str, Any]]) -> Answer:
        documents = [data for _, data in stream]
        last = documents[-1]
        assert [document["candidates"][0].get("finishReason") for document in documents[:-1]] == [None] * (
            len(documents) - 1
        )
        assert {json.dumps(document["usageMetadata"]) for document in documents} == {json.dumps(last["usageMetadata"])}
        parts = [part for document in documents for part in document["candidates"][0]["content"]["parts"]]
        last["candidates"][0]["content"]["parts"] = parts
        return self.take_whole(last)

    def take_whole(self, document: Any) -> Answer:
        candidate = document["candidates"][0]
        assert candidate["finishReason"] == "STOP"
        self.history.append(candidate["content"])
        parts = candidate["content"]["parts"]
        usage = document["usageMetadata"]
        output = usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
        tokens = (usage["promptTokenCount"], usage["cachedContentTokenCount"], output)
        text = "".join(part.get("text", "") for part in parts)
        calls = [part["functionCall"] for part in parts if "functionCall" in part]
        return Answer(text, calls[0]["name"], calls[0]["args"], tokens) if calls else Answer(text, usage=tokens)

    def result(self, output: str) -> list[dict[str, Any]]:
        part = {"functionResponse": {"name": self.shell, "response": {"output": output}}}
        return [{"role": "user", "parts": [part]}]


CLIENTS: tuple[type[Client], ...] = (Anthropic, Chat, Responses, Gemini)
