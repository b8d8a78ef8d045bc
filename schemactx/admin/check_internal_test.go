package admin

import "testing"

// No supported server is too old, so that the finding is asked for directly.
func TestVersionFinding(t *testing.T) {
	t.Parallel()
	if f, old := versionFinding(MinVersion - 1); !old || f.Code != CodeServerVersion || f.Severity != Refuse {
		t.Errorf("the version before the oldest: %v, %t", f, old)
	}
	if f, old := versionFinding(MinVersion); old {
		t.Errorf("the oldest: %v", f)
	}
}
