"""Sessions of pygls, a language client that is not ours, with the binary that DACAPO names.

Its messages and their types are its own, so a mistake that server and strict client share shows here.
"""

import asyncio
import logging
import os
import tempfile
import unittest

from lsprotocol import types
from pygls.lsp.client import LanguageClient

URI = "file:///project/sample.py"
TEXT = "def total(values):\n    result = 0\n    for value in values:\n        "
CARET = types.Position(line=3, character=8)

# unittest switches on asyncio's debugging, which tells of every callback that took a while.
logging.getLogger("asyncio").setLevel(logging.ERROR)


class Session(unittest.IsolatedAsyncioTestCase):
    """Each test has folders of its own, and so a daemon of its own."""

    async def asyncSetUp(self):
        self.home = tempfile.TemporaryDirectory()
        self.environment = {"HOME": self.home.name, "XDG_RUNTIME_DIR": self.home.name}
        self.clients = []
        self.messages = []

    async def asyncTearDown(self):
        for client in self.clients:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()
        stop = await asyncio.create_subprocess_exec(
            os.environ["DACAPO"],
            "daemon",
            "stop",
            env=self.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        self.assertEqual(await stop.wait(), 0)
        self.home.cleanup()

    async def start(self, encodings=(), configuration=None):
        client = LanguageClient("pygls-test", "1")

        @client.feature(types.WORKSPACE_CONFIGURATION)
        def configure(params: types.ConfigurationParams):
            return [configuration for _ in params.items]

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams):
            return None

        @client.feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams):
            self.messages.append(params.message)

        await client.start_io(os.environ["DACAPO"], "lsp", env=self.environment)
        self.clients.append(client)
        result = await client.initialize_async(
            types.InitializeParams(
                process_id=os.getpid(),
                client_info=types.ClientInfo(name="pygls"),
                capabilities=types.ClientCapabilities(
                    general=types.GeneralClientCapabilities(position_encodings=list(encodings) or None),
                    workspace=types.WorkspaceClientCapabilities(
                        configuration=configuration is not None
                    ),
                ),
            )
        )
        client.initialized(types.InitializedParams())
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(uri=URI, language_id="python", version=1, text=TEXT)
            )
        )
        return client, result

    def inline_params(self, kind, position=CARET):
        return types.InlineCompletionParams(
            text_document=types.TextDocumentIdentifier(URI),
            position=position,
            context=types.InlineCompletionContext(trigger_kind=kind),
        )

    async def test_capabilities_are_what_the_protocol_has(self):
        _, result = await self.start([types.PositionEncodingKind.Utf8])
        self.assertEqual(result.capabilities.position_encoding, "utf-8")
        self.assertTrue(result.capabilities.inline_completion_provider)
        self.assertTrue(result.capabilities.completion_provider is not None)

    async def test_ghost_text_and_menu_suggest(self):
        client, _ = await self.start()
        invoked = types.InlineCompletionTriggerKind.Invoked
        found = await client.text_document_inline_completion_async(self.inline_params(invoked))
        items = found.items if hasattr(found, "items") else found
        self.assertTrue(1 <= len(items) <= 3, items)
        self.assertEqual(len({item.insert_text for item in items}), len(items))
        menu = await client.text_document_completion_async(
            types.CompletionParams(
                text_document=types.TextDocumentIdentifier(URI), position=CARET
            )
        )
        self.assertTrue(menu.is_incomplete)
        self.assertEqual(len(menu.items), 1)
        self.assertEqual(menu.items[0].text_edit.range.end, CARET)

    async def test_typing_is_followed_to_the_letter(self):
        client, _ = await self.start()
        text, version = TEXT, 1
        for letter in "result = 'größe 𝄞'\n":
            version += 1
            lines = text.split("\n")
            at = types.Position(
                line=len(lines) - 1, character=len(lines[-1].encode("utf-16-le")) // 2
            )
            client.text_document_did_change(
                types.DidChangeTextDocumentParams(
                    text_document=types.VersionedTextDocumentIdentifier(version=version, uri=URI),
                    content_changes=[
                        types.TextDocumentContentChangePartial(
                            range=types.Range(start=at, end=at), text=letter
                        )
                    ],
                )
            )
            text += letter
        state = await client.protocol.send_request_async(
            "dacapo/documentState", {"textDocument": {"uri": URI}}
        )
        self.assertEqual((state.version, state.lines), (version, text.count("\n") + 1))

    async def test_a_request_that_is_cancelled_is_answered(self):
        client, _ = await self.start()
        invoked = types.InlineCompletionTriggerKind.Invoked
        asked = [
            asyncio.ensure_future(
                client.text_document_inline_completion_async(self.inline_params(invoked))
            )
            for _ in range(5)
        ]
        answers = await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 60)
        self.assertEqual(len(answers), 5)

    async def test_settings_are_asked_for(self):
        client, _ = await self.start(configuration={"enabled": False, "unheardOf": 1})
        automatic = types.InlineCompletionTriggerKind.Automatic
        for _ in range(200):
            explained = await client.protocol.send_request_async(
                "dacapo/explain",
                {"textDocument": {"uri": URI}, "position": {"line": 3, "character": 8}},
            )
            if explained.reason and explained.reason.code == "disabled":
                break
            await asyncio.sleep(0.05)
        self.assertEqual(explained.reason.code, "disabled")
        found = await client.text_document_inline_completion_async(self.inline_params(automatic))
        self.assertFalse(found.items if hasattr(found, "items") else found)
        self.assertIn("unheardOf", self.messages[0])


if __name__ == "__main__":
    unittest.main()
