package manage

import (
	"context"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A hint works on the same database when it is typed unchanged, and contains no password.
func TestAHintRepeatsTheFlagsThatWereGiven(t *testing.T) {
	t.Parallel()
	var got []string
	m := &mount{Config{Name: "school admin"}}
	root := Command(Config{Name: m.cfg.Name, Open: func(context.Context) (*App, error) { return &App{}, nil }})
	for _, name := range []string{"database-url", "data-dir", "actor", "other"} {
		root.PersistentFlags().String(name, "a default", "")
	}
	root.PersistentFlags().BoolP("verbose", "v", false, "")
	sub := &cobra.Command{Use: "probe", Run: func(cmd *cobra.Command, args []string) {
		c := m.newCall(cmd, args)
		got = []string{c.hint("tenant", "show", "a"), c.hintForOther("x")}
	}}
	sub.Flags().String("own", "", "")
	root.AddCommand(sub)
	root.SetArgs([]string{
		"probe", "-v", "--json", "--own", "x", "--actor", "ada", "--data-dir", `my "$data"`,
		"--database-url", "postgres://u:secret@db.example:5432/app?sslmode=require&password=secret",
	})
	require.NoError(t, root.Execute())
	flags := ` --data-dir "my \"\$data\"" --database-url "postgres://u@db.example:5432/app?sslmode=require" --verbose'`
	want := []string{`'school admin tenant show a --actor ada` + flags, `'school admin x` + flags}
	for i := range want {
		assert.Equal(t, want[i], got[i])
	}
}
