// Command cueoracle decides pairs of a CUE policy and a statement exactly as policy-controller does.
//
// Each line of standard input is a JSON array of two texts, the policy and the statement (JSON). Each line of standard
// output answers one: {"allowed": bool, "rewritten": bool, "reason": text}, where "rewritten" is the answer for the statement
// as upstream's reader writes it again, through Go's float64.
//
// The calls are those of sigstore/cosign pkg/policy/eval.go (evaluateCue), and no others.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"cuelang.org/go/cue/cuecontext"
)

type answer struct {
	Allowed   bool   `json:"allowed"`
	Rewritten bool   `json:"rewritten"`
	Reason    string `json:"reason"`
}

func evaluate(policy string, statement []byte) (err error) {
	defer func() {
		if fault := recover(); fault != nil {
			err = fmt.Errorf("panic: %v", fault)
		}
	}()
	context := cuecontext.New()
	evaluator := context.CompileString(policy)
	if err := evaluator.Err(); err != nil {
		return err
	}
	attestation := context.CompileBytes(statement)
	if err := attestation.Err(); err != nil {
		return err
	}
	return evaluator.Unify(attestation).Validate()
}

func decide(policy, statement string) answer {
	if err := evaluate(policy, []byte(statement)); err != nil {
		return answer{Reason: err.Error()}
	}
	var value any
	if err := json.Unmarshal([]byte(statement), &value); err != nil {
		return answer{Allowed: true, Reason: err.Error()}
	}
	again, err := json.Marshal(value)
	if err == nil {
		err = evaluate(policy, again)
	}
	if err != nil {
		return answer{Allowed: true, Reason: err.Error()}
	}
	return answer{Allowed: true, Rewritten: true}
}

func main() {
	input := bufio.NewReader(os.Stdin)
	output := bufio.NewWriter(os.Stdout)
	defer output.Flush()
	decoder, encoder := json.NewDecoder(input), json.NewEncoder(output)
	for decoder.More() {
		var pair [2]string
		if err := decoder.Decode(&pair); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if err := encoder.Encode(decide(pair[0], pair[1])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}
