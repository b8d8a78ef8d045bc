package corpus_test

import (
	"testing"

	"github.com/oryne/pgtenant/internal/moduletest"
)

func TestModule(t *testing.T) { moduletest.Run(t, "internal/corpustest") }
