package simulator

import "time"

// A Company is everything that a simulated tenant holds at the start: plain data, read by Load or
// built in Go. The format of the file is described in the documentation of the package. New copies
// what it needs, so that one Company may serve several simulators, also at the same time.
type Company struct {
	// CustomerID is the tenant's id (32 lower-case hex digits); made from the data when empty.
	CustomerID string      `toml:"customer_id"`
	Users      []User      `toml:"user"`
	Workspaces []Workspace `toml:"workspace"`
	// Switches and Faults of a file are used when Options has none of its own.
	Switches  Switches   `toml:"switches"`
	Faults    []Fault    `toml:"fault"`
	Spells    []Spell    `toml:"spell"`
	Strangers []Stranger `toml:"stranger"`
}

// A User can log in with a certificate that bears the address, and with the password if there is one.
type User struct {
	ID          string `toml:"id"`
	Email       string `toml:"email"`
	FirstName   string `toml:"first_name"`
	LastName    string `toml:"last_name"`
	Password    string `toml:"password"`
	TenantAdmin bool   `toml:"tenant_admin"`
	// Access is what the user may do, by the name of a model, "Workspace/Model", or "*" for all
	// others: "none", "user", "admin" (workspace administrator). Absent means "user" everywhere.
	Access map[string]string `toml:"access"`
}

// A Workspace holds models.
type Workspace struct {
	ID            string  `toml:"id"`
	Name          string  `toml:"name"`
	SizeAllowance int64   `toml:"size_allowance"`
	Models        []Model `toml:"model"`
}

// A Model with its structure, its data and its runnable objects.
type Model struct {
	ID   string `toml:"id"`
	Name string `toml:"name"`
	// State is the activeState of (anaplan-api.md 7.3): UNLOCKED when empty.
	State string `toml:"state"`
	// Closed models are loaded by the first call that needs them, which takes LoadTime (8.3).
	Closed   bool          `toml:"closed"`
	LoadTime time.Duration `toml:"load_time"`
	// Time and Versions are the items of these two built-in dimensions.
	Time          []string          `toml:"time"`
	Versions      []string          `toml:"versions"`
	CurrentPeriod string            `toml:"current_period"`
	Categories    map[string]string `toml:"categories"`
	Lists         []List            `toml:"list"`
	Modules       []Module          `toml:"module"`
	Files         []File            `toml:"file"`
	Imports       []Import          `toml:"import"`
	Exports       []Export          `toml:"export"`
	Processes     []Process         `toml:"process"`
	Actions       []Action          `toml:"action"`
}

// A List has items, each perhaps with a code, a parent in another list and values of properties.
type List struct {
	ID         string     `toml:"id"`
	Name       string     `toml:"name"`
	Parent     string     `toml:"parent"`
	Properties []Property `toml:"property"`
	// Items is CSV with a header: name, code, parent, then properties by their names.
	Items string `toml:"items"`
}

// A Property or line item has one of the formats number, text, boolean, date and list.
type Property struct {
	Name   string `toml:"name"`
	Format string `toml:"format"`
	// List is the name of the list of format "list".
	List string `toml:"list"`
}

// A Module holds cells: one per line item and combination of items of its dimensions.
type Module struct {
	ID   string `toml:"id"`
	Name string `toml:"name"`
	// Dimensions are names of lists, "Time" or "Versions".
	Dimensions []string   `toml:"dimensions"`
	LineItems  []LineItem `toml:"line_item"`
	// Cells is CSV with a header: the dimensions, then line items, by their names.
	Cells string `toml:"cells"`
}

// A LineItem is a column of figures in a module.
type LineItem struct {
	ID     string `toml:"id"`
	Name   string `toml:"name"`
	Format string `toml:"format"`
	List   string `toml:"list"`
	// Calculated line items ignore what is imported into them (12.5).
	Calculated bool `toml:"calculated"`
}

// A File is an import data source in a model (9.1).
type File struct {
	ID   string `toml:"id"`
	Name string `toml:"name"`
	// Separator is "," when empty, Delimiter `"`, unless NoDelimiter, Encoding UTF-8.
	Separator    string `toml:"separator"`
	Delimiter    string `toml:"delimiter"`
	NoDelimiter  bool   `toml:"no_delimiter"`
	Encoding     string `toml:"encoding"`
	HeaderRow    int    `toml:"header_row"`
	FirstDataRow int    `toml:"first_data_row"`
	// Default is the content that everybody reads who has no private one, HasDefault when it is "".
	Default    string `toml:"default"`
	HasDefault bool   `toml:"has_default"`
}

// An Import reads a File or another model, and changes a List or a Module.
type Import struct {
	ID   string `toml:"id"`
	Name string `toml:"name"`
	// Type is HIERARCHY_DATA or MODULE_DATA, made from the target when empty, or another of (10.1),
	// which is run without an effect on lists and modules.
	Type string `toml:"type"`
	File string `toml:"file"`
	// SourceModel ("Model" or "Workspace/Model") with SourceList or SourceModule replaces File.
	SourceModel  string `toml:"source_model"`
	SourceList   string `toml:"source_list"`
	SourceModule string `toml:"source_module"`
	// Where keeps of another model's rows those whose column has one of the values: a saved view.
	Where  map[string][]string `toml:"where"`
	List   string              `toml:"list"`
	Module string              `toml:"module"`
	// Map tells for each target where its value comes from. Targets: name, code, parent and the
	// properties of a list; the dimensions and line items of a module. Values: the header of a source
	// column, "=text" for a fixed value, "?Version" for a prompt of that entity type (11.1).
	Map map[string]string `toml:"map"`
	// Fails makes every run end without success, with this type of detail (11.5) and no dump.
	Fails    string        `toml:"fails"`
	Duration time.Duration `toml:"duration"`
}

// An Export writes a Module or a List as text.
type Export struct {
	ID        string        `toml:"id"`
	Name      string        `toml:"name"`
	Module    string        `toml:"module"`
	List      string        `toml:"list"`
	LineItems []string      `toml:"line_items"`
	Type      string        `toml:"type"`
	Format    string        `toml:"format"`
	Separator string        `toml:"separator"`
	Encoding  string        `toml:"encoding"`
	Duration  time.Duration `toml:"duration"`
}

// A Process runs imports, exports and actions in order.
type Process struct {
	ID      string   `toml:"id"`
	Name    string   `toml:"name"`
	Actions []string `toml:"actions"`
}

// An Action is one of Anaplan's "other actions" (10.4).
type Action struct {
	ID   string `toml:"id"`
	Name string `toml:"name"`
	// Type is DELETE_BY_SELECTION, which removes from List the items whose LineItem in Module is
	// true, or another of (10.3), whose only effect is that it is recorded.
	Type     string        `toml:"type"`
	List     string        `toml:"list"`
	Module   string        `toml:"module"`
	LineItem string        `toml:"line_item"`
	Duration time.Duration `toml:"duration"`
	// Fails makes every run end without success, with the detail actionFailed.
	Fails bool `toml:"fails"`
}
