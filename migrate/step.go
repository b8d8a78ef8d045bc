package migrate

import "math"

// Direction is which way a migration is run.
type Direction string

const (
	// Up applies a migration.
	Up Direction = "up"

	// Down undoes one.
	Down Direction = "down"
)

// Newest stands for the newest version that the sources have.
const Newest int64 = math.MaxInt64

// step is one migration to run.
type step struct {
	m   *migration
	dir Direction
	ran bool // what it does is done, and only has to be written down
}

func (st step) noTx() bool {
	switch {
	case st.ran:
		return false
	case st.dir == Down:
		return st.m.noTxDown
	}
	return st.m.noTx
}

func (st step) isGo() bool { return st.m.kind == KindGo }

func (st step) statements() []statement {
	switch {
	case st.ran:
		return nil
	case st.dir == Down:
		return st.m.down
	}
	return st.m.up
}
