package migrate_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// cpuMeter reads the processor's time that this process and the server have used: where the machine
// does other work that tells more than the time of day. It knows Linux, and a server on this
// machine whose files it may read; elsewhere it reads zero.
type cpuMeter struct{ postmaster string }

func newCPUMeter(b *testing.B, f *benchFleet) cpuMeter {
	b.Helper()
	var dir string
	require.NoError(b,
		f.pool.QueryRow(b.Context(), "select setting from pg_settings where name = 'data_directory'").Scan(&dir))
	pid, err := os.ReadFile(filepath.Join(dir, "postmaster.pid"))
	if err != nil {
		b.Logf("no processor's time: %v", err)
		return cpuMeter{}
	}
	first, _, _ := bytes.Cut(pid, []byte("\n"))
	return cpuMeter{postmaster: string(first)}
}

// read returns the time used so far, in ticks of 10 ms. The server's processes that have ended are
// counted with the first.
func (m cpuMeter) read() time.Duration {
	if m.postmaster == "" {
		return 0
	}
	const parent, user, system, children = 1, 11, 12, 13 // fields of stat behind the name
	own := strconv.Itoa(os.Getpid())
	ticks := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		pid := filepath.Base(filepath.Dir(file))
		last := system
		switch {
		case pid == m.postmaster:
			last = children + 1
		case pid != own && fields[parent] != m.postmaster:
			continue
		}
		for _, field := range fields[user : last+1] {
			n, _ := strconv.Atoi(field)
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
