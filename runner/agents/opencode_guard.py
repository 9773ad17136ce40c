"""A plugin of ours for opencode, which would ask for ever, many times a second, while the answers break off."""

FILE = "opencode_guard.js"
BROKEN_IN_A_ROW = 10

SCRIPT = f"""\
import {{ writeSync }} from "node:fs"

// opencode 1.18 takes an answer without an end for one that goes on, and asks again at once.
export const Guard = async () => {{
  let broken = 0
  const error = {{ name: "BrokenAnswers", data: {{ message: "{BROKEN_IN_A_ROW} answers of the model broke off" }} }}
  return {{
    event: async ({{ event }}) => {{
      const part = event.type === "message.part.updated" ? event.properties.part : undefined
      if (part?.type === "tool") broken = 0
      if (part?.type !== "step-finish") return
      broken = part.reason === "unknown" ? broken + 1 : 0
      if (broken < {BROKEN_IN_A_ROW}) return
      writeSync(1, JSON.stringify({{ type: "error", sessionID: part.sessionID, error }}) + "\\n")
      process.exit(1)
    }},
  }}
}}
"""
