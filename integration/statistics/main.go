// Command statistics simulates rollouts, healthy ones and others, and tells how many of them are rolled back and when: what
// docs/statistics.md says of the checks.
//
// What decides is what decides in a gateway: the machine of core/rollout with the settings that a plan has by default, and
// trials and checks of core/analysis. Only the traffic is drawn, and the clock advanced. Draws have fixed seeds, so that
// the same code says the same on every machine of an architecture.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
)

func main() {
	rollouts := flag.Int("rollouts", 2000, "how many `rollouts` there are of each kind")
	only := flag.String("only", "", "simulate only rows whose names match this `expression`")
	check := flag.String("check", "", "fail if a row that was simulated is not in this `document`")
	flag.Parse()
	if err := simulate(*rollouts, *only, *check); err != nil {
		fmt.Fprintln(os.Stderr, "statistics:", err)
		os.Exit(1)
	}
}

func simulate(rollouts int, only, check string) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	var document []byte
	if check != "" {
		if document, err = os.ReadFile(check); err != nil {
			return fmt.Errorf("-check: %w", err)
		}
	}
	var missing []string
	for _, table := range tables() {
		fmt.Println(table.head())
		for i, row := range table.rows {
			if !wanted.MatchString(row.name) {
				continue
			}
			line, err := table.line(i, rollouts)
			if err != nil {
				return err
			}
			fmt.Println(line)
			if check != "" && !strings.Contains(string(document), line+"\n") {
				missing = append(missing, line)
			}
		}
		fmt.Println()
	}
	if len(missing) > 0 {
		return fmt.Errorf("%s does not say:\n%s", check, strings.Join(missing, "\n"))
	}
	return nil
}

func (t table) head() string {
	names, rules := "| "+t.title, "|---"
	for _, rate := range rates {
		names += fmt.Sprintf(" | %g/s", rate)
		rules += "|---"
	}
	return names + " |\n" + rules + "|"
}

// line simulates a row.
func (t table) line(i, rollouts int) (string, error) {
	cells := []string{t.rows[i].name}
	for _, rate := range rates {
		outcomes, err := t.rows[i].at(rate, rollouts)
		if err != nil {
			return "", err
		}
		cells = append(cells, t.tell(outcomes))
	}
	return "| " + strings.Join(cells, " | ") + " |", nil
}

// at simulates rollouts of a row at a rate of requests, on all processors.
func (r row) at(rate float64, rollouts int) ([]outcome, error) {
	s := r.scenario
	s.traffic.Rate = rate
	outcomes := make([]outcome, rollouts)
	errs := make([]error, runtime.NumCPU())
	var workers sync.WaitGroup
	for w := range errs {
		workers.Go(func() {
			for i := w; i < rollouts && errs[w] == nil; i += len(errs) {
				outcomes[i], errs[w] = s.run(uint64(i))
			}
		})
	}
	workers.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}
