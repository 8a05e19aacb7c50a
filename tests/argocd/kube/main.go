// Command kube runs a Kubernetes API server, controller manager or kubectl, chosen by the first argument; the rest are
// its own arguments.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register" // `--logging-format json`
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	var command *cobra.Command
	if len(os.Args) > 1 {
		name := os.Args[1]
		os.Args = os.Args[1:] // where the commands look for their arguments
		switch name {
		case "kube-apiserver":
			command = apiserver.NewAPIServerCommand()
		case "kube-controller-manager":
			command = controllermanager.NewControllerManagerCommand()
		case "kubectl":
			command = kubectl.NewDefaultKubectlCommand()
		}
	}
	if command == nil {
		fmt.Fprintln(os.Stderr, "usage: kube kube-apiserver|kube-controller-manager|kubectl [arguments]")
		os.Exit(2)
	}
	os.Exit(cli.Run(command))
}
