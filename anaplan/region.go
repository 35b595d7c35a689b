package anaplan

import (
	"maps"
	"slices"
	"strings"
)

// Hosts are the addresses of a region's services.
type Hosts struct {
	API  string // with /2/0
	Auth string
}

// regions is the table of anaplan-api.md 1.1. Nothing in the API tells a tenant's region.
var regions = map[string]Hosts{
	"us1": legacy, "us2": legacy, "us5": legacy, "us7": legacy,
	"eu1": legacy, "eu2": legacy, "eu4": legacy, "ap1": legacy,
	"us9": cloud("us9"), "eu3": cloud("eu3"), "eu5": cloud("eu5"), "gb1": cloud("gb1"),
	"sg1": cloud("sg1"), "ae1": cloud("ae1"), "in1": cloud("in1"), "id1": cloud("id1"),
	"me1": cloud("me1"), "ca1": cloud("ca1a"),
	"au1": {API: "https://au1a.api2.anaplan.com/2/0", Auth: "https://au1a.app2.anaplan.com"}, // marked unsure
}

var legacy = Hosts{API: "https://api.anaplan.com/2/0", Auth: "https://auth.anaplan.com"}

func cloud(code string) Hosts {
	return Hosts{API: "https://" + code + ".api.anaplan.com/2/0", Auth: "https://" + code + ".auth.anaplan.com"}
}

// Region gives the addresses of a region by its code, such as "us1" or "eu3".
func Region(code string) (Hosts, bool) {
	h, ok := regions[strings.ToLower(code)]
	return h, ok
}

// Regions lists the codes of all regions.
func Regions() []string { return slices.Sorted(maps.Keys(regions)) }
