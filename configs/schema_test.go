package configs

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

// TestSchemas holds the schemas against the tables they are made from.
func TestSchemas(t *testing.T) {
	golden(t, "job.schema.json", string(buildJobSchema()))
	golden(t, "connections.schema.json", string(buildConnectionsSchema()))
}

// TestSchemaHasTheDecodersKeys reads the schemas as they are embedded: each key that can
// be written is in them, in its table, and described; and nothing else is.
func TestSchemaHasTheDecodersKeys(t *testing.T) {
	type object struct {
		Properties map[string]struct {
			Description string `json:"description"`
			Enum        []any
			Ref         string `json:"$ref"`
		} `json:"properties"`
		AdditionalProperties *bool             `json:"additionalProperties"`
		Defs                 map[string]object `json:"$defs"`
	}
	check := func(schema []byte, root shapeInfo, tables map[string]shapeInfo) {
		t.Helper()
		var s object
		if err := json.Unmarshal(schema, &s); err != nil {
			t.Fatal(err)
		}
		tables["job file"] = root
		s.Defs["job file"] = s
		if diff := cmp.Diff(slices.Sorted(maps.Keys(tables)), slices.Sorted(maps.Keys(s.Defs))); diff != "" {
			t.Errorf("tables: %s", diff)
		}
		for name, info := range tables {
			def := s.Defs[name]
			if diff := cmp.Diff(available(info), slices.Sorted(maps.Keys(def.Properties))); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if def.AdditionalProperties == nil || *def.AdditionalProperties {
				t.Errorf("%s allows unknown keys", name)
			}
			for key, p := range def.Properties {
				if len(p.Description) < 10 || !strings.ContainsAny(p.Description, ".:") {
					t.Errorf("%s.%s is described by %q", name, key, p.Description)
				}
			}
		}
	}
	check(Schema(), jobTable.info(), map[string]shapeInfo{
		"anaplan": anaplanTable.info(), "auth": authTable.info(), "urls": urlKeys.info(), "param": paramTable.info(), "defaults": defaultsTable.info(),
		"step": stepTable.info(), "file": fileTable.info(), "in_process": actionTable.info(), "guard": guardTable.info(), "accept": acceptTable.info(),
		"retry": retryTable.info(), "wait": waitTable.info(), "on_end": onEndTable.info(), "source_table": sourceTable.info(),
		"target_table": targetTable.info(), "reference": refTable.info(), "wait_for": waitForTable.info(), "after": afterTable.info(),
		"transfer": transferTable.info(), "control_table": controlTable.info(), "guard_command": guardCommandTable.info(),
		"vault": vaultTable.info(),
	})
	check(ConnectionsSchema(), connectionsShape.info(), map[string]shapeInfo{
		"connection": connectionShape.info(), "urls": urlKeys.info(), "reference": refTable.info(), "vault": vaultTable.info(),
	})
	for table, texts := range schemaTexts {
		for key := range texts {
			if !bytes.Contains(Schema(), []byte(`"`+key+`": {`)) && !bytes.Contains(ConnectionsSchema(), []byte(`"`+key+`": {`)) {
				t.Errorf("%s.%s is described, and there is no such key", table, key)
			}
		}
	}
}

func compile(t *testing.T, name string, schema []byte) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// against validates a TOML text; false when it is no TOML.
func against(t *testing.T, s *jsonschema.Schema, text []byte) (error, bool) {
	t.Helper()
	var m map[string]any
	if _, err := toml.Decode(string(text), &m); err != nil {
		return nil, false
	}
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc), true
}

// TestSchemaTakesRightFiles and refuses nothing that the decoder takes.
func TestSchemaTakesRightFiles(t *testing.T) {
	job, connections := compile(t, "job.schema.json", Schema()), compile(t, "connections.schema.json", ConnectionsSchema())
	right := func(s *jsonschema.Schema, name string, text []byte) {
		t.Helper()
		if err, ok := against(t, s, text); err != nil || !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range exampleJobs(t) {
		right(job, name, exampleText(t, name))
	}
	files, err := filepath.Glob("testdata/jobs/right/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		right(job, file, text)
	}
	right(connections, "connections.toml", exampleText(t, "connections.toml"))
	right(connections, "the connections of the tests", bytes.Replace([]byte(rightConnections), []byte("EU3"), []byte("eu3"), 1))
	right(connections, "the vaults of the tests", []byte(rightVaults))
}

// TestSchemaRefusesWrongFiles wants most of the wrong files to be seen in an editor. The
// rest needs more than a schema can say: names that are not there, patterns, values.
func TestSchemaRefusesWrongFiles(t *testing.T) {
	job, connections := compile(t, "job.schema.json", Schema()), compile(t, "connections.schema.json", ConnectionsSchema())
	for _, x := range []struct {
		schema *jsonschema.Schema
		dir    string
		share  float64
	}{{job, "testdata/jobs/wrong", 0.6}, {connections, "testdata/connections", 0.6}} {
		refused, all := 0, 0
		var taken []string
		for _, file := range wrongFiles(t, x.dir, 28) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			err, ok := against(t, x.schema, text)
			if !ok {
				continue // TOML itself
			}
			all++
			if err != nil {
				refused++
			} else {
				taken = append(taken, filepath.Base(file))
			}
		}
		t.Logf("%s: %d of %d refused, not %v", x.dir, refused, all, taken)
		if float64(refused) < x.share*float64(all) {
			t.Errorf("%s: only %d of %d are refused; not %v", x.dir, refused, all, taken)
		}
	}
}
