package web

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAFieldThatIsNotSetIsNamed(t *testing.T) {
	t.Parallel()
	type config struct {
		Port string
		Hook func()
	}
	assert.NoError(t, CheckConfig(config{"80", func() {}}))
	assert.EqualError(t, CheckConfig(config{Port: "80"}), "web.config: Hook is not set")
	assert.EqualError(t, CheckConfig(config{Hook: func() {}}), "web.config: Port is not set")
}
