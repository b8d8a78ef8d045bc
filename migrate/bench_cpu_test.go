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

// cpuMeter reads the processor time that this process and the server have used. On a machine that
// does other work it says more than the elapsed time. It works on Linux, with a server on the same
// machine whose files it may read. Elsewhere it reads zero.
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

// read returns the time used so far, with a resolution of 10 ms. The postmaster's count includes
// the server processes that have ended.
func (m cpuMeter) read() time.Duration {
	if m.postmaster == "" {
		return 0
	}
	const parent, user, system, children = 1, 11, 12, 13 // fields of stat after the name
	own := strconv.Itoa(os.Getpid())
	ticks := 0
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range stats {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the process has ended
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
