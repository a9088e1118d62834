import { Box, Flex } from "@chakra-ui/react";
import { Route, Routes } from "react-router-dom";

import { ViewLink } from "./components/ViewLink";
import { paths } from "./paths";
import { AddView } from "./views/add/AddView";
import { BloggerView } from "./views/blogger/BloggerView";
import { BloggersView } from "./views/bloggers/BloggersView";
import { NotFoundView } from "./views/NotFoundView";
import { OrganizationsView } from "./views/organizations/OrganizationsView";
import { OverviewView } from "./views/overview/OverviewView";

/** The page: links to its views, and the view of the present address. */
export const Page = () => (
  <Box as="main" height="full" overflowY="auto">
    <Box maxW="7xl" mx="auto" p={{ base: 3, md: 6 }}>
      <Flex aria-label="Views of the Bloggers page" as="nav" borderBottomWidth="1px" columnGap={1} mb={5} wrap="wrap">
        <ViewLink end to={paths.overview}>
          Overview
        </ViewLink>
        <ViewLink to={paths.organizations}>Organizations</ViewLink>
        <ViewLink to={paths.bloggers}>Bloggers</ViewLink>
        <ViewLink to={paths.add}>Add</ViewLink>
      </Flex>
      <Routes>
        <Route element={<OverviewView />} index />
        <Route element={<OrganizationsView />} path="organizations" />
        <Route element={<BloggersView />} path="bloggers" />
        <Route element={<BloggerView />} path="bloggers/:bloggerId" />
        <Route element={<AddView />} path="add" />
        <Route element={<NotFoundView />} path="*" />
      </Routes>
    </Box>
  </Box>
);
