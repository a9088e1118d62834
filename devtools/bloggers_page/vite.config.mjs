import { defineConfig } from "vite";

// Airflow's UI sets these libraries as globals before it imports the page, so the page uses the same React, router and
// theme, and the built file contains none of them.
const globalsOfAirflow = {
  "@chakra-ui/react": "ChakraUI",
  react: "React",
  "react-router-dom": "ReactRouterDOM",
  "react/jsx-runtime": "ReactJSXRuntime",
};

export default defineConfig({
  build: {
    emptyOutDir: true,
    lib: { entry: "src/main.tsx", fileName: () => "bloggers.js", formats: ["iife"], name: "BloggersPage" },
    outDir: "../../include/blogger_tracking/page/static",
    rolldownOptions: { external: Object.keys(globalsOfAirflow), output: { globals: globalsOfAirflow } },
    target: "es2022",
  },
  define: { "process.env.NODE_ENV": '"production"' },
});
