package archive

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Partition is a partition that a program created at run time, instead of a migration. Its rows are
// in the archive with the topmost partitioned table.
//
// Its bounds are values, not SQL, as the server prints them under the settings of the CSV.
type Partition struct {
	Name   string        `json:"name"`
	Parent string        `json:"parent"` // a partitioned table, or an earlier partition of this list
	Bound  Bound         `json:"bound"`
	Key    *PartitionKey `json:"key,omitempty"` // set if it is itself partitioned
}

// Strategy is a partitioning strategy.
type Strategy string

// The partitioning strategies.
const (
	StrategyList  Strategy = "list"
	StrategyRange Strategy = "range"
	StrategyHash  Strategy = "hash"
)

// Bound is the bound of a partition.
type Bound struct {
	Strategy  Strategy `json:"strategy,omitempty"`  // of the parent; empty for the default partition
	Values    []Datum  `json:"values,omitempty"`    // of StrategyList: at least one
	From      []Datum  `json:"from,omitempty"`      // of StrategyRange: the lower bound, inclusive
	To        []Datum  `json:"to,omitempty"`        // of StrategyRange: the upper bound, exclusive
	Modulus   int      `json:"modulus,omitempty"`   // of StrategyHash
	Remainder int      `json:"remainder,omitempty"` // of StrategyHash: less than Modulus
}

// Datum is one value of a bound.
type Datum struct {
	Kind DatumKind `json:"kind,omitempty"`
	Text string    `json:"text,omitempty"` // set if Kind is empty
}

// DatumKind is the kind of a [Datum]. An empty string means a value.
type DatumKind string

// The kinds of data that are not values: DatumNull of StrategyList, DatumMin and DatumMax of
// StrategyRange.
const (
	DatumNull DatumKind = "null"
	DatumMin  DatumKind = "minvalue"
	DatumMax  DatumKind = "maxvalue"
)

// PartitionKey is the key of a partitioned table: columns with their default operator classes and
// collations.
type PartitionKey struct {
	Strategy Strategy `json:"strategy"`
	Columns  []string `json:"columns"`
}

// Limits of a partition.
const (
	maxKeyColumns = 32 // PostgreSQL's limit
	maxListValues = 100_000
)

// checkPartitions returns an error if the partitions cannot belong to the header's tables. It adds
// their names to seen.
func (h *Header) checkPartitions(seen unique) error {
	partitioned, known := make(map[string]Strategy), make(map[string]bool)
	for _, p := range h.Partitions {
		known[p.Name] = true
	}
	for _, t := range h.Tables {
		known[t.Name] = true
		if t.Partitioned {
			partitioned[t.Name] = "" // unknown strategy
		}
	}
	for _, p := range h.Partitions {
		if err := seen.add(p.Name); err != nil {
			return err
		}
		strategy, ok := partitioned[p.Parent]
		if !ok && (known[p.Parent] || p.Parent == "") { // otherwise the migrations create the parent
			return fmt.Errorf("partition %q has the parent %q, which is not partitioned", p.Name, clip(p.Parent))
		}
		if strategy != "" && p.Bound.Strategy != "" && p.Bound.Strategy != strategy {
			return fmt.Errorf("partition %q has the strategy %s, its parent %s",
				p.Name, clip(string(p.Bound.Strategy)), strategy)
		}
		if err := p.Bound.check(); err != nil {
			return fmt.Errorf("partition %q: %w", p.Name, err)
		}
		if p.Key == nil {
			continue
		}
		if err := p.Key.check(); err != nil {
			return fmt.Errorf("partition %q: %w", p.Name, err)
		}
		partitioned[p.Name] = p.Key.Strategy
	}
	return nil
}

var errBound = errors.New("bound has a field that its strategy does not allow, or lacks one that it requires")

func (b Bound) check() error {
	list, ranges, hash := len(b.Values) > 0, len(b.From)+len(b.To) > 0, b.Modulus != 0 || b.Remainder != 0
	switch b.Strategy {
	case "":
		if list || ranges || hash {
			return errBound
		}
	case StrategyList:
		if !list || ranges || hash || len(b.Values) > maxListValues {
			return errBound
		}
	case StrategyRange:
		if list || hash || len(b.From) == 0 || len(b.From) != len(b.To) || len(b.To) > maxKeyColumns {
			return errBound
		}
	case StrategyHash:
		if list || ranges || b.Modulus < 1 || b.Modulus > 1<<31-1 || b.Remainder < 0 || b.Remainder >= b.Modulus {
			return errBound
		}
	default:
		return fmt.Errorf("strategy %q is not known", clip(string(b.Strategy)))
	}
	for _, d := range append(append(append([]Datum(nil), b.Values...), b.From...), b.To...) {
		if err := d.check(b.Strategy); err != nil {
			return err
		}
	}
	return nil
}

func (d Datum) check(of Strategy) error {
	switch {
	case d.Kind == "" && utf8.ValidString(d.Text) && !strings.ContainsRune(d.Text, 0):
		return nil
	case d.Text == "" && of == StrategyList && d.Kind == DatumNull:
		return nil
	case d.Text == "" && of == StrategyRange && (d.Kind == DatumMin || d.Kind == DatumMax):
		return nil
	}
	return fmt.Errorf("%q of kind %q is not valid in a bound by %s", clip(d.Text), clip(string(d.Kind)), of)
}

func (k *PartitionKey) check() error {
	if k.Strategy != StrategyList && k.Strategy != StrategyRange && k.Strategy != StrategyHash {
		return fmt.Errorf("strategy %q is not known", clip(string(k.Strategy)))
	}
	if len(k.Columns) == 0 || len(k.Columns) > maxKeyColumns {
		return fmt.Errorf("partition key has %d columns", len(k.Columns))
	}
	for _, name := range k.Columns {
		if err := make(unique).add(name); err != nil { // a column may occur twice
			return err
		}
	}
	return nil
}
