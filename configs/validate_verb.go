package configs

import "slices"

// fitting keys: which verbs a key of a step is for, where it is not for all, and what to
// write where it does not fit.
var verbKeys = []struct {
	key     string
	verbs   []Verb
	instead map[Verb]string // by verb; "" for the others
}{
	{"source", []Verb{Import, Upload}, map[Verb]string{Process: `write files = { "NAME" = "path" }, with the name of the server file`, Export: "an export writes: target says where to", Download: "a download writes: target says where to"}},
	{"target", []Verb{Export, Download}, map[Verb]string{Import: "an import reads: source says from where", Upload: "an upload reads: source says from where", Process: `add a step with download = "NAME" for each output`}},
	{"prompts", []Verb{Import, Process}, nil},
	{"guard", []Verb{Import, Upload, Export, Download}, map[Verb]string{Process: `put it under the file: [step.files."NAME"]`}},
	{"guard.max_age", []Verb{Import, Upload}, nil},
	{"guard.header", []Verb{Import}, map[Verb]string{Upload: "put it on the import that reads the file"}},
	{"accept", []Verb{Import, Process, Action}, nil},
	{"accept.min_loaded", []Verb{Import, Process}, nil},
	{"accept.unexplained", []Verb{Process}, nil},
	{"files", []Verb{Process}, map[Verb]string{Import: `write source = "path"`, Upload: `write source = "path"`}},
	{"actions", []Verb{Process}, nil},
	{"delete", []Verb{Action}, nil},
	{"stale", []Verb{Download}, nil},
	{"timeout", []Verb{Import, Export, Process, Action}, nil},
	{"on_timeout", []Verb{Import, Export, Process, Action}, nil},
	{"warn_after", []Verb{Import, Export, Process, Action}, nil},
	{"locale", []Verb{Import, Export, Process, Action}, nil},
	{"rerun", []Verb{Import, Export, Process, Action}, moves},
	{"rerun_on", []Verb{Import, Export, Process, Action}, moves},
	{"on_stop", []Verb{Import, Export, Process, Action}, nil},
	{"settle_wait", []Verb{Import, Export, Process, Action}, nil},
	{"cancel_wait", []Verb{Import, Export, Process, Action}, nil},
	{"show_rejected", []Verb{Import, Process, Action}, nil},
}

var moves = map[Verb]string{Upload: "take it out: a file is sent again as often as that is needed", Download: "take it out: a file is fetched again as often as that is needed"}

// fits says whether a key is for a verb.
func fits(key string, v Verb) bool {
	for _, k := range verbKeys {
		if k.key == key {
			return slices.Contains(k.verbs, v)
		}
	}
	return true
}
