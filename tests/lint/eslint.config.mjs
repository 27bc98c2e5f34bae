// ESLint for everything that is JavaScript here; `make lint` calls it from the root of the repository.

import js from "@eslint/js";
import globals from "globals";

// Beyond ESLint's recommended rules, which find mistakes.
const rules = {
    "array-callback-return": "error",
    "default-case-last": "error",
    eqeqeq: "error",
    "no-constructor-return": "error",
    "no-else-return": "error",
    "no-implicit-coercion": "error",
    "no-self-compare": "error",
    "no-shadow": "error",
    "no-template-curly-in-string": "error",
    "no-throw-literal": "error",
    "no-unneeded-ternary": "error",
    "no-unreachable-loop": "error",
    // A function may name what stands below it: it runs later.
    "no-use-before-define": ["error", { functions: false, classes: false, variables: false }],
    "no-useless-return": "error",
    "no-var": "error",
    "object-shorthand": "error",
    "prefer-const": "error",
    "prefer-promise-reject-errors": "error",
    "prefer-rest-params": "error",
    "prefer-template": "error",
};

const source = (files, names, sourceType = "module") => ({
    files,
    languageOptions: { ecmaVersion: 2022, sourceType, globals: names },
});

export default [
    { ignores: ["**/node_modules/"] },
    { linterOptions: { reportUnusedDisableDirectives: "error" } },
    js.configs.recommended,
    { rules },
    source(["frappe_rt/client/*.js", "frappe_rt/demo/page/*.js"], globals.browser),
    source(["frappe_rt/handlers/**/*.js", "tests/apps/**/*.js"], globals.node, "commonjs"),
    source(["tests/**/*.mjs"], globals.node),
    source(["tests/client/demo.test.mjs"], globals.browser), // functions that run in the page
    source(["tests/bench/peers/bun.mjs"], { Bun: "readonly" }),
];
