package sqlite

import (
	"bufio"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// networks are the file systems that other machines write too, by the type that statfs
// gives (statfs(2), linux/magic.h and the file systems' own sources).
var networks = map[uint32]string{
	0x6969: "nfs", 0x517b: "smb", 0xfe534d42: "smb2", 0xff534d42: "cifs", 0x564c: "ncp", 0x73757245: "coda",
	0x5346414f: "afs", 0x6b414653: "kafs", 0x01021997: "9p", 0x00c36400: "ceph", 0x0bd00bd0: "lustre", 0x47504653: "gpfs",
	0x7461636f: "ocfs2", 0x01161970: "gfs2", 0x19830326: "beegfs", 0xaad7aaea: "panfs", 0x786f4256: "vboxsf", 0xbacbacbc: "vmhgfs",
}

// local are the file systems through FUSE that lie on a disk of this machine. The type
// tells nothing more of a FUSE file system, and most others are remote.
var local = map[string]bool{"fuseblk": true, "fuse": true, "fuse.ntfs-3g": true, "fuse.exfat": true, "fuse.ext4": true,
	"fuse.gocryptfs": true, "fuse.encfs": true, "fuse.cryfs": true, "fuse.mergerfs": true, "fuse.bindfs": true, "fuse.fuse-overlayfs": true,
	"virtiofs": true}

const fuse = 0x65735546

// network names the network file system on which a path lies, empty for a local one.
func network(path string) (string, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil {
		return "", &os.PathError{Op: "statfs", Path: path, Err: err}
	}
	kind := uint32(fs.Type)
	if kind != fuse {
		return networks[kind], nil
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", nil // no /proc: what it is cannot be told
	}
	defer f.Close()
	name := mounted(f, unix.Major(uint64(st.Dev)), unix.Minor(uint64(st.Dev)))
	if name == "" || local[name] {
		return "", nil
	}
	return name, nil
}

// mounted finds the type of the file system of a device in mountinfo (proc(5)), empty if
// it is not there.
func mounted(info io.Reader, major, minor uint32) string {
	device := strconv.Itoa(int(major)) + ":" + strconv.Itoa(int(minor))
	lines := bufio.NewScanner(info)
	for lines.Scan() {
		before, after, ok := strings.Cut(lines.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if ok && len(left) > 2 && len(right) > 0 && left[2] == device {
			return right[0]
		}
	}
	return ""
}
