package blob

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// servers are the places on real servers: URLs of buckets, with parameters. Tests that need
// them run where they are: .ci/integration starts them, and fails if one is skipped.
func servers(t testing.TB) []string {
	t.Helper()
	all := strings.Fields(os.Getenv("ANAPLAN_RUNNER_TEST_STORES"))
	if len(all) == 0 {
		t.Skip("NOT TESTED: there are no buckets in ANAPLAN_RUNNER_TEST_STORES; `.ci/integration stores` makes some")
	}
	return all
}

func TestServers(t *testing.T) {
	for _, where := range servers(t) {
		scheme, _, _ := strings.Cut(where, "://")
		t.Run(scheme, func(t *testing.T) {
			b := within(New(), where)
			if scheme == "azblob" { // its containers are made by requests alone
				var c *container.Client
				bucketOf(t, b).As(&c)
				if _, err := c.Create(t.Context(), nil); err != nil && !bloberror.HasCode(err, bloberror.ContainerAlreadyExists) {
					t.Fatal(err)
				}
			}
			suite(t, b, 64<<20)
			t.Run("killed", func(t *testing.T) { killed(t, b) })
		})
	}
}

// unfinished fails if a service keeps parts of objects that were given up, where it tells.
func unfinished(t *testing.T, b base) {
	t.Helper()
	if !strings.HasPrefix(b.home, "s3://") {
		return
	}
	var client *s3.Client
	bucketOf(t, b).As(&client)
	bucket, folder, _ := strings.Cut(strings.TrimPrefix(b.home, "s3://"), "/")
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &folder})
	if err != nil || len(out.Uploads) > 0 {
		t.Errorf("%d uploads were left (%v)", len(out.Uploads), err)
	}
}

func bucketOf(t *testing.T, b base) *blob.Bucket {
	t.Helper()
	p, err := b.store.exact(b.name("x"))
	if err != nil {
		t.Fatal(err)
	}
	bucket, _, err := b.store.open(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return bucket
}

// writerOf makes this process one that writes the object of this name, and never ends.
const writerOf = "ANAPLAN_RUNNER_TEST_WRITER"

// beginAndWait writes an object to the point before Commit, and waits.
func beginAndWait(name string) int {
	w, err := New().Create(context.Background(), name)
	if err == nil {
		_, err = io.Copy(w, pattern(2*partSize+1))
	}
	if err == nil {
		err = w.Ready(context.Background())
	}
	fmt.Println("ready", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 1
}

// killed: of a process that is killed nothing is seen, and what was there stays.
func killed(t *testing.T, b base) {
	write(t, b.store, b.name("killed/old.csv"), strings.NewReader("before"))
	for _, name := range b.names("killed/old.csv", "killed/new.csv") {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), writerOf+"="+name)
		in, err := child.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said, err := bufio.NewReader(out).ReadString('\n')
		if said != "ready <nil>\n" {
			t.Errorf("it says %q (%v)", said, err)
		}
		_ = child.Process.Kill()
		_ = child.Wait()
	}
	if got := listed(t, b.store, b.name("killed/*")); len(got) != 1 || content(t, b.store, b.name("killed/old.csv")) != "before" {
		t.Errorf("there is %v", got)
	}
	// The name can be written as before.
	write(t, b.store, b.name("killed/new.csv"), strings.NewReader("after"))
	if got := content(t, b.store, b.name("killed/new.csv")); got != "after" {
		t.Errorf("got %q", got)
	}
}
