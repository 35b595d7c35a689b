package cli

import (
	"strings"
	"testing"

	"github.com/anaplan-runner/anaplan-runner/anaplan/simulator/sample"
)

// TestAddressesOfTheCommandLineAreHeldToAConnections: a login is sent in clear to this
// machine alone.
func TestAddressesOfTheCommandLineAreHeldToAConnections(t *testing.T) {
	certificate, key := identityFiles(t)
	basic := []string{"auth", "token", "--user", sample.Email}
	payload := []string{"auth", "payload", "--certificate", certificate, "--private-key", key}
	for _, tt := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, append(basic, "--auth-url", "http://192.0.2.1:1"), "--auth-url: it is http, and would send the login in clear"},
		{nil, append(basic, "--api-url", "http://192.0.2.1:1"), "--api-url: it is http, and would send the login in clear"},
		{[]string{"ANAPLAN_AUTH_URL", "http://192.0.2.1:1"}, basic, "ANAPLAN_AUTH_URL: it is http, and would send the login in clear"},
		{nil, append(basic, "--auth-url", "https://anna:word@auth.example.com"), "--auth-url: it holds a user or a password"},
		{nil, append(payload, "--auth-url", "http://192.0.2.1:1"), "--auth-url: it is http, and would send the login in clear"},
	} {
		// There is no proxy: nothing leaves this machine.
		env := append([]string{"ANAPLAN_PASSWORD", "canary-password", "ANAPLAN_PROXY", "http://127.0.0.1:1", "ANAPLAN_SIMULATOR_SPEED", "1000"}, tt.env...)
		if got := call(env, tt.args...); got.code != 64 || !strings.Contains(got.err, tt.want) {
			t.Errorf("%v: code %d: %s", tt.args, got.code, got.err)
		}
	}
}
