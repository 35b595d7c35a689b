package sqlite

import (
	"strings"
	"testing"
)

func TestFileSystemOfADevice(t *testing.T) {
	const info = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
36 22 0:33 / /mnt/host rw,nosuid shared:9 - fuse.sshfs me@host:/ rw,user_id=0
37 22 0:34 / /mnt/with\040blank rw - fuseblk /dev/sdb1 rw
38 22 0:35 / /mnt/s3 rw shared:1 master:2 propagate_from:3 - fuse.s3fs s3fs rw
broken
`
	for _, c := range []struct {
		major, minor uint32
		want         string
	}{{254, 0, "ext4"}, {0, 33, "fuse.sshfs"}, {0, 34, "fuseblk"}, {0, 35, "fuse.s3fs"}, {0, 3, ""}, {54, 0, ""}} {
		if got := mounted(strings.NewReader(info), c.major, c.minor); got != c.want {
			t.Errorf("%d:%d: got %q, want %q", c.major, c.minor, got, c.want)
		}
	}
}

func TestFileSystemsByType(t *testing.T) {
	// The numbers of statfs(2).
	for kind, want := range map[uint32]string{0x6969: "nfs", 0xff534d42: "cifs", 0xfe534d42: "smb2", 0x01021997: "9p",
		0xef53: "", 0x58465342: "", 0x9123683e: "", 0x01021994: "", 0x794c7630: "", 0x2fc12fc1: ""} {
		if got := networks[kind]; got != want {
			t.Errorf("%#x: got %q, want %q", kind, got, want)
		}
	}
	for _, dir := range []string{t.TempDir(), "/proc"} {
		if kind, err := network(dir); err != nil || kind != "" {
			t.Errorf("%s: got %q, %v", dir, kind, err)
		}
	}
	if _, err := network("/none/there"); err == nil {
		t.Error("a path that is not there has a file system")
	}
}
