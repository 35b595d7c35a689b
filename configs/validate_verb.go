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
	{"target", []Verb{Export, Download}, map[Verb]string{Import: "an import reads: source says from where", Upload: "an upload reads: source says from where", Process: `write it below the export's name: [step.files."NAME"]`}},
	{"prompts", []Verb{Import, Process}, nil},
	{"guard", []Verb{Import, Upload, Export, Download}, map[Verb]string{Process: `put it under the file: [step.files."NAME"]`}},
	{"guard.max_age", []Verb{Import, Upload}, nil},
	{"guard.control", []Verb{Import, Upload}, nil},
	{"accept", []Verb{Import, Process, Action}, nil},
	{"accept.min_loaded", []Verb{Import, Process}, nil},
	{"accept.unexplained", []Verb{Process}, nil},
	{"files", []Verb{Process}, map[Verb]string{Import: `write source = "path"`, Upload: `write source = "path"`}},
	{"actions", []Verb{Process}, nil},
	{"delete", []Verb{Action}, nil},
	{"stale", []Verb{Download}, nil},
	{"timeout", []Verb{Import, Export, Process, Action, Command}, nil},
	{"on_timeout", tasks, nil},
	{"warn_after", tasks, nil},
	{"locale", tasks, nil},
	{"rerun", []Verb{Import, Export, Process, Action, Command}, moves},
	{"rerun_on", tasks, moves},
	{"on_stop", tasks, nil},
	{"settle_wait", tasks, nil},
	{"cancel_wait", tasks, nil},
	{"transfer", []Verb{Import, Export, Process, Upload, Download}, nil},
	{"ahead", []Verb{Import, Process, Upload}, nil},
	{"connection", inAnaplan, nil},
	{"workspace", inAnaplan, nil},
	{"model", inAnaplan, nil},
	{"on_partial", inAnaplan, map[Verb]string{Command: "take it out: a command is ok or it failed"}},
	{"retry", inAnaplan, map[Verb]string{Command: `take it out: rerun = "safe" lets a continued run start it again`}},
	{"wait", inAnaplan, nil},
	{"show_rejected", []Verb{Import, Process, Action}, nil},
}

// tasks are the verbs that run something on Anaplan's side, inAnaplan those that have to
// do with a model.
var (
	tasks     = []Verb{Import, Export, Process, Action}
	inAnaplan = []Verb{Import, Export, Process, Action, Upload, Download}
)

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
