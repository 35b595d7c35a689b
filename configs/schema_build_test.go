package configs

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// node is a piece of a JSON Schema. Maps are written sorted, so the same tables always
// give the same bytes.
type node map[string]any

// part is a table that stands under $defs.
type schemaPart struct {
	name  string
	info  shapeInfo
	about string
}

// buildJobSchema makes the schema of job files from the decoder's tables.
func buildJobSchema() []byte {
	parts := []schemaPart{
		{"anaplan", anaplanTable.info(), "Where the steps run; and, without `connection`, where Anaplan is."},
		{"auth", authTable.info(), "How to log in, for a job without `connection`. Secrets are references."},
		{"urls", urlKeys.info(), "Addresses instead of a region."},
		{"vault", vaultTable.info(), "How vault: references are resolved, in HashiCorp Vault or OpenBao. What is not said comes from VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT or ~/.vault-token."},
		{"param", paramTable.info(), "A value that the caller sets with --param NAME=VALUE."},
		{"defaults", defaultsTable.info(), "What every step does unless it says otherwise."},
		{"step", stepTable.info(), "One thing to do in Anaplan. It has exactly one of import, export, process, action, upload, download, command."},
		{"file", fileTable.info(), "Where the bytes of a server file come from, and what must hold before they are uploaded; or where the output of an export goes."},
		{"in_process", actionTable.info(), "What is special about one action of a process."},
		{"guard", guardTable.info(), "What must hold before a source is uploaded, or before a download is put in place."},
		{"accept", acceptTable.info(), "What Anaplan may reject while the step is still ok: numbers, or a share of what Anaplan counted."},
		{"retry", retryTable.info(), "Repeats what did not happen: a login, a request, a transfer, a start that was refused. Never an action that ran."},
		{"wait", waitTable.info(), "How long to wait before the task has begun, by reason."},
		{"on_end", onEndTable.info(), "A program that is started when the run has ended."},
		{"source_table", sourceTable.info(), "A source, written as a table."},
		{"wait_for", waitForTable.info(), "How long to wait for a marker file, or for the source itself."},
		{"after", afterTable.info(), "What becomes of the files of a source when all steps that read it have ended."},
		{"transfer", transferTable.info(), "How the bytes of a step are moved."},
		{"control_table", controlTable.info(), "A control file, written as a table."},
		{"guard_command", guardCommandTable.info(), "A program that looks at the file, written as a table."},
		{"target_table", targetTable.info(), "A target, written as a table."},
		{"reference", refTable.info(), "An object by id and name: the id decides, and another name is a warning."},
	}
	root := build(schemaPart{"job", jobTable.info(), "A job of anaplan-runner: steps to run in Anaplan, in order."}, parts)
	root["required"] = []string{"name", "step"}
	root["title"] = "job file of anaplan-runner"
	defs := root["$defs"].(node)
	shapeStep(defs["step"].(node))
	// Only in a job file a value may stand for the region.
	region := defs["anaplan"].(node)["properties"].(node)["region"].(node)
	region["anyOf"] = []node{{"enum": region["enum"]}, {"type": "string", "pattern": `\$\{`}}
	delete(region, "enum")
	defs["on_end"].(node)["required"] = []string{"command"}
	defs["file"].(node)["oneOf"] = []node{{"required": []string{"source"}}, {"required": []string{"target"}}}
	for table, key := range map[string]string{"wait_for": "limit", "guard_command": "run", "control_table": "path", "source_table": "path", "target_table": "path"} {
		defs[table].(node)["required"] = []string{key}
	}
	for _, key := range []string{"ok", "else"} {
		defs["after"].(node)["properties"].(node)[key].(node)["pattern"] = `^move:.*[/\\](\?.*)?$`
	}
	return write(root)
}

// buildConnectionsSchema does so for connections.toml.
func buildConnectionsSchema() []byte {
	parts := []schemaPart{
		{"connection", connectionShape.info(), "How to reach Anaplan and how to log in. What `extends` names is taken over; defaults fill the rest."},
		{"urls", urlKeys.info(), "Addresses instead of a region."},
		{"vault", vaultTable.info(), "How vault: references are resolved, in HashiCorp Vault or OpenBao. What is not said comes from VAULT_ADDR, VAULT_TOKEN, VAULT_NAMESPACE, VAULT_CACERT or ~/.vault-token."},
		{"reference", refTable.info(), "An object by id and name: the id decides, and another name is a warning."},
	}
	root := build(schemaPart{"connections", connectionsShape.info(), "Connections that job files name."}, parts)
	root["required"] = []string{"connection"}
	root["title"] = "connections.toml of anaplan-runner"
	connection := root["$defs"].(node)["connection"].(node)
	connection["not"] = node{"required": []string{"region", "urls"}}
	return write(root)
}

func build(root schemaPart, parts []schemaPart) node {
	out := tableSchema(root)
	out["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	defs := node{}
	for _, p := range parts {
		defs[p.name] = tableSchema(p)
	}
	if urls, ok := defs["urls"].(node); ok {
		urls["required"] = []string{"api", "auth"}
	}
	out["$defs"] = defs
	return out
}

// tableSchema is the schema of one table: its keys that are available, and no others.
func tableSchema(p schemaPart) node {
	properties := node{}
	for _, k := range p.info.keys {
		if k.later {
			continue
		}
		n := valueSchema(p.name, k)
		n["description"] = schemaTexts[p.name][k.name]
		if n["description"] == "" {
			n["description"] = schemaTexts[sharedTexts[p.name]][k.name]
		}
		properties[k.name] = n
	}
	return node{"type": "object", "description": p.about, "properties": properties, "additionalProperties": false}
}

func ref(name string) node { return node{"$ref": "#/$defs/" + name} }

var (
	text      = node{"type": "string", "minLength": 1}
	pathTexts = node{"type": "string", "minLength": 1, "not": node{"enum": []string{"-"}}}
	freeName  = node{"pattern": paramName.String()}
)

// argvSchema is that of a list of texts with at least one; anew each time, since descriptions are added.
func argvSchema() node { return node{"type": "array", "minItems": 1, "items": text} }

// valueSchema is the schema of a key's value.
func valueSchema(table string, k keyInfo) node {
	switch k.kind {
	case kindText:
		if table == "param" && k.name == "default" {
			return node{"type": "string"}
		}
		return node{"type": "string", "minLength": 1}
	case kindFiles:
		return node{"anyOf": []node{text, argvSchema()}}
	case kindTexts:
		return node{"type": "array", "items": text}
	case kindSecret:
		if table == "vault" {
			return node{"type": "string", "pattern": `^(file|env|cmd):.*\S`}
		}
		return node{"type": "string", "pattern": `^((file|env|cmd):.*\S|vault:.+#.+)`}
	case kindFlag:
		return node{"type": "boolean"}
	case kindCount:
		return node{"type": "integer", "minimum": k.least, "maximum": k.most}
	case kindLimit:
		return node{"oneOf": []node{{"type": "integer", "minimum": 0}, {"type": "string", "pattern": `^[0-9.]+%$`}}}
	case kindDuration:
		return node{"type": "string", "pattern": `^([0-9.]+(ms|s|m|h|d))+$`, "examples": []string{"90s", "45m", "2h", "1h30m", "2d"}}
	case kindSize:
		return node{"anyOf": []node{{"type": "integer", "minimum": k.least, "maximum": k.most}, {"type": "string", "pattern": `^[0-9.]+([KMGT]i?)?B$|^[0-9]+$`, "examples": []string{"500KB", "10MB", "1GiB"}}}}
	case kindAge:
		return node{"type": "string", "pattern": `^([0-9.]+(ms|s|m|h|d))+$|^[0-9]+bd$`, "examples": []string{"26h", "2d", "1bd"}}
	case kindPercent:
		return node{"type": "string", "pattern": `^[0-9.]+%$`, "examples": []string{"20%"}}
	case kindHeader:
		return node{"anyOf": []node{{"type": "boolean"}, argvSchema()}}
	case kindColumns:
		return node{"anyOf": []node{{"type": "integer", "minimum": k.least, "maximum": k.most}, {"type": "array", "minItems": 1, "uniqueItems": true, "items": text}}}
	case kindWaitFor:
		return node{"anyOf": []node{{"type": "string", "pattern": `^([0-9.]+(ms|s|m|h|d))+$`, "examples": []string{"30m", "2h"}}, ref(k.name)}}
	case kindArgv:
		return argvSchema()
	case kindProgram:
		return node{"anyOf": []node{argvSchema(), ref("guard_command")}}
	case kindGzip:
		return node{"enum": []any{"auto", "off", 1, 2, 3, 4, 5, 6, 7, 8, 9}}
	case kindEnum:
		return node{"enum": k.values}
	case kindClock:
		return node{"type": "string", "pattern": `^([01][0-9]|2[0-3]):[0-5][0-9]$`, "examples": []string{"06:30"}}
	case kindEnums:
		return node{"type": "array", "items": node{"enum": k.values}}
	case kindRef:
		return node{"anyOf": []node{text, ref("reference")}}
	case kindTable:
		return ref(k.name)
	case kindTables:
		return node{"type": "array", "minItems": 1, "items": ref(k.name)}
	case kindPath:
		return node{"anyOf": []node{pathTexts, ref(k.name + "_table")}}
	case kindPaths:
		one := node{"anyOf": []node{pathTexts, ref(k.name + "_table")}}
		return node{"anyOf": []node{pathTexts, ref(k.name + "_table"), {"type": "array", "minItems": 1, "items": one}}}
	case kindMap:
		return mapSchema(k.name)
	}
	panic("no schema for the kind " + string(k.kind) + " of " + table + "." + k.name)
}

// mapSchema is the schema of a table with free names.
func mapSchema(name string) node {
	switch name {
	case "params":
		return node{"type": "object", "propertyNames": freeName, "additionalProperties": node{"anyOf": []node{{"type": "string"}, ref("param")}}}
	case "for_each":
		return node{"type": "object", "propertyNames": freeName, "minProperties": 1,
			"additionalProperties": node{"type": "array", "minItems": 1, "uniqueItems": true, "items": text}}
	case "prompts", "sums":
		return node{"type": "object", "additionalProperties": text}
	case "files":
		return node{"type": "object", "additionalProperties": node{"anyOf": []node{pathTexts, ref("source_table"), ref("file")}}}
	case "actions":
		return node{"type": "object", "additionalProperties": ref("in_process")}
	case "connection":
		return node{"type": "object", "minProperties": 1, "additionalProperties": ref("connection")}
	}
	panic("no schema for the table " + name)
}

// shapeStep adds what holds between the keys of a step: one verb, and keys only with the
// verbs that they are for.
func shapeStep(step node) {
	step["required"] = []string{"name"}
	var one []node
	for _, v := range Verbs {
		one = append(one, node{"required": []Verb{v}})
	}
	step["oneOf"] = one
	fits := node{}
	for _, k := range verbKeys {
		if strings.Contains(k.key, ".") || len(k.verbs) == len(Verbs) {
			continue
		}
		var verbs []node
		for _, v := range k.verbs {
			verbs = append(verbs, node{"required": []Verb{v}})
		}
		fits[k.key] = node{"anyOf": verbs}
	}
	step["dependentSchemas"] = fits
	step["dependentRequired"] = node{"upload": []string{"source"}, "download": []string{"target"}}
}

func write(root node) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// available are the keys of a table that may be written, sorted.
func available(s shapeInfo) []string { return slices.Sorted(slices.Values(s.names())) }
