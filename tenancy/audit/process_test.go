package audit_test

import (
	"os"
)

const processEnv = "PGTENANT_TEST_AUDIT"

func runProcess(order string) int { _ = os.Stdout; return 0 }
