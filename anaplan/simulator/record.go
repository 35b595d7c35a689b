package simulator

import "time"

// A Request that the simulator answered, or dropped.
type Request struct {
	At           time.Time
	Method, Path string
	// User is the address of the token's owner; "" without a valid token.
	User string
	// Agent is the User-Agent: who of several callers with one login.
	Agent string
	// Status is 0 when the connection was ended without an answer.
	Status int
	// Faulted says that a Fault or a Spell took part in the answer.
	Faulted bool
}

// A TaskRecord is one run of an object. Ended is zero while it is not over.
type TaskRecord struct {
	ID, Workspace, Model     string
	Kind                     string // "import", "export", "process" or "action"
	ObjectID, Object, User   string
	State                    string
	Created, Started, Ended  time.Time
	Successful, DumpRecorded bool
	// Actions names what a process did, in order: those with a result.
	Actions []string
	// Read tells what each import from a file read, in order; Wrote what each export wrote, and Dumped
	// what each import rejected.
	Read, Wrote, Dumped []Data
	// Stranger: it was started by Start or a Stranger, not by a request. Request is the place of its
	// request among Requests, -1 of a stranger's.
	Stranger bool
	Request  int
}

// Data is what one object of a task read or wrote, with its SHA-256 in hex.
type Data struct {
	Object string
	File   string // the server file; "" of a dump
	Bytes  int
	SHA256 string
}

// A ModelState is a copy of what a model holds at one moment.
type ModelState struct {
	Workspace, Name, ID string
	Lists               map[string][]Item
	// Cells by module, then by "item, item / line item" in the order of the dimensions.
	Cells map[string]map[string]string
	// Files holds private content by the name of the file, then by the user's address.
	Files map[string]map[string][]byte
	// Effects tells the runs of actions without another effect, in order, by name.
	Effects []string
}

// An Item of a list.
type Item struct {
	Name, Code, Parent string
	Properties         map[string]string
}
